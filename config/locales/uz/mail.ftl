# Xatlar mavzusi. Xabarning oʻzi shu nomdagi sms- matni. $number, $until, $serial oʻsha yerdagidek.
mail-subject-application-received = Arizangiz koʻrib chiqilmoqda
mail-subject-invoice = { $number }-hisob
mail-subject-paid = { $number }-hisob toʻlandi
mail-subject-returned = Arizangizni tuzating
mail-subject-rejected = Arizangiz rad etildi
mail-subject-issued = Sertifikatingiz tayyor
mail-subject-suspended = { $serial } sertifikati toʻxtatib turildi
mail-subject-restored = { $serial } sertifikati yana amal qilmoqda
mail-subject-revoked = { $serial } sertifikati bekor qilindi
mail-subject-expiring = { $serial } sertifikati { $until } gacha amal qiladi
mail-subject-refund = { $number }-hisob boʻyicha pul qaytarildi

mail-greeting = Assalomu alaykum!
mail-open = Mening arizalarimni ochish
mail-footer = Bu xabar avtomatik yuborildi; unga yozilgan javoblar oʻqilmaydi.
mail-calendar = Ilova qilingan taqvim yozuvi sertifikat muddati tugashini eslatadi.
mail-opt-out = Menga boshqa eslatma yubormang
mail-opt-out-title = Boshqa eslatma yuborilmasinmi?
mail-opt-out-ask = Sertifikat muddati tugashi haqidagi eslatmalar bu pochta manziliga boshqa yuborilmaydi. SMS kelaveradi.
mail-opt-out-do = Boshqa yubormang
mail-opt-out-done = Eslatmalar bu pochta manziliga boshqa yuborilmaydi.
