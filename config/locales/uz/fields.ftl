# Maydonda nima notoʻgʻri — uni toʻldirgan kishi uchun.
field-required = Bu maydonni toʻldiring.
field-not-expected = Bu maydon bunday arizachiga tegishli emas. Uni olib tashlang.
field-unknown-field = Bunday maydon yoʻq. Uni olib tashlang.
field-wrong-type = Qiymat turi bu maydonga mos emas.
field-too-long = Matn juda uzun.
field-too-short = Matn juda qisqa.
field-not-json = Soʻrov matni JSON emas.
field-not-base64 = Bu Base64 emas.
field-control-characters = Bu matnda koʻrsatib boʻlmaydigan belgilar bor.
field-not-a-choice = Taklif etilgan qiymatlardan birini tanlang.
field-pinfl-length = JSHSHIR roppa-rosa 14 ta raqamdan iborat.
field-pinfl-check-digit = JSHSHIRda xato bor: nazorat raqami mos kelmayapti.
field-pinfl-century = JSHSHIR 1 dan 6 gacha boʻlgan raqam bilan boshlanadi.
field-pinfl-date = JSHSHIRning 2–7-raqamlari tugʻilgan sanani bildirmaydi.
field-date-form = Sanani yil-oy-kun shaklida yozing, masalan 1990-05-21.
field-birth-date-differs = Tugʻilgan sana JSHSHIRdagi sanaga mos emas.
field-under-age = Sertifikat egasi kamida 18 yoshda boʻlishi kerak.
field-stir-form = STIR roppa-rosa 9 ta raqamdan iborat.
field-document-form = Pasport yoki ID karta raqami ikkita lotin harfi va yettita raqamdan iborat, masalan AA1234567.
field-name-characters = Ismni pasportdagidek, sertifikatda mumkin boʻlmagan belgilarsiz yozing.
field-mixed-scripts = Yo lotin, yo kirill harflarida yozing, ularni aralashtirmang.
field-common-name-too-long = Familiya, ism va otasining ismi birgalikda 64 belgidan oshmasligi kerak.
field-email-form = Bu elektron pochta manzili emas; namuna: name@example.uz.
field-phone-form = Telefon raqamida +998 dan keyin toʻqqizta raqam boʻladi, masalan +998901234567.
field-phone-country = Oʻzbekiston telefon raqami kerak, u +998 bilan boshlanadi.
field-region-unknown = Bunday kodli hudud yoʻq.
field-district-unknown = Bu hududda bunday kodli tuman yoʻq.
field-offer-not-accepted = Ofertani qabul qilmasdan ariza berib boʻlmaydi.
field-purpose-empty = Sertifikat nima uchun kerakligini yozing.
field-reason-unknown = Sababni roʻyxatdan tanlang.

# Taqiqlanmagan boʻlsa-da, xodim eʼtibor berishi kerak boʻlgan holatlar.
warning-stir-check-digit = STIRda xato boʻlishi mumkin: nazorat raqami odatdagidek emas. Hujjat bilan solishtiring.
warning-stir-kind = STIR boshqa turdagi soliq toʻlovchinikidek boshlanadi. Hujjat bilan solishtiring.
field-benefit-unknown = Bugun bunday imtiyoz yoʻq.
field-benefit-not-covered = Bu imtiyoz bunday arizachiga yoki bu tumanga tegishli emas.
field-pinfl-not-holders = Bu sertifikat egasining JSHSHIR raqami emas.
