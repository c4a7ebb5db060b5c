# Xatlar teması. Xabardıń ózi usı atamadaǵı sms- teksti. $number, $until, $serial sol jerdegidey.
mail-subject-application-received = Arzańız kórip shıǵılmaqta
mail-subject-invoice = { $number }-esap
mail-subject-paid = { $number }-esap tólendi
mail-subject-returned = Arzańızdı dúzetiń
mail-subject-rejected = Arzańız qabıl etilmedi
mail-subject-issued = Sertifikatıńız tayar
mail-subject-suspended = { $serial } sertifikatı toqtatıp turıldı
mail-subject-restored = { $serial } sertifikatı jáne ámel etpekte
mail-subject-revoked = { $serial } sertifikatı biykar etildi
mail-subject-expiring = { $serial } sertifikatı { $until } ge shekem ámel etedi
mail-subject-refund = { $number }-esap boyınsha pul qaytarıldı

mail-greeting = Assalawma áleykum!
mail-open = Meniń arzalarımdı ashıw
mail-footer = Bul xabar avtomat túrde jiberildi; oǵan jazılǵan juwaplar oqılmaydı.
mail-calendar = Qosımsha etilgen kalendar jazıwı sertifikat múddetiniń tamam bolıwın eskertedi.
mail-opt-out = Maǵan basqa eskertiw jibermeń
mail-opt-out-title = Basqa eskertiw jiberilmesin be?
mail-opt-out-ask = Sertifikat múddetiniń tamam bolıwı haqqındaǵı eskertiwler bul pochta mánziline basqa jiberilmeydi. SMS kele beredi.
mail-opt-out-do = Basqa jibermeń
mail-opt-out-done = Eskertiwler bul pochta mánziline basqa jiberilmeydi.
