# $code: raqamlar. $number: hisob raqami. $amount: soʻm. $until: sana. $reason: reason- matni. $serial: raqamning boshi.
sms-code = Muhr: kodingiz { $code }. Uni hech kimga aytmang.
sms-key-password = Muhr: kalitingiz paroli { $password }. Kalit saqlanganda almashtiring.
sms-application-received = Muhr: arizangiz koʻrib chiqilmoqda. Natijasi bir ish kuni ichida SMS orqali keladi.
sms-invoice = Muhr: { $amount } soʻmlik { $number }-hisob. { $until } gacha toʻlang.
sms-paid = Muhr: { $number }-hisob toʻlandi. Rahmat.
sms-returned = Muhr: arizangizni tuzating. { $reason }
sms-rejected = Muhr: arizangiz rad etildi. { $reason }
sms-issued = Muhr: sertifikatingiz tayyor, { $until } gacha amal qiladi. Uni «Mening arizalarim» boʻlimidan oling.
sms-suspended = Muhr: { $serial } sertifikati toʻxtatib turildi. Bu siz emasmisiz? Bizga qoʻngʻiroq qiling.
sms-restored = Muhr: { $serial } sertifikati yana amal qilmoqda.
sms-revoked = Muhr: { $serial } sertifikati bekor qilindi va endi amal qilmaydi.
sms-refund = Muhr: { $number }-hisob boʻyicha { $amount } soʻm qaytarildi.
sms-expiring = Muhr: { $serial } sertifikati { $until } gacha amal qiladi. Yangisiga oldindan ariza bering.
