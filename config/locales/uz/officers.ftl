# What an officer has to do before anything else.
officer-password-change-required = Avval parolingizni almashtiring.
officer-totp-enrolment-required = Avval autentifikator ilovasini ulang.

# What is wrong with a field of the back office or the register.
field-password-same = Eski parol va login bilan bir xil boʻlmagan parol tanlang.
field-password-guessable = Bu parolni topish oson: u maʼlum parol yoki soʻz, sana va klaviatura qatorlaridan tuzilgan. Boshqasini tanlang.
field-totp-code = Kod notoʻgʻri yoki ishlatilgan. Keyingisini kuting.
field-enrolment-expired = Ulash muddati oʻtgan. Qaytadan boshlang.
field-search-too-short = Ismning kamida uchta harfini yoki raqamni toʻliq yozing.
field-note-required = Nima notoʻgʻri ekanini izohda yozing.
field-totp-not-enrolled = Avval autentifikatorni ulang.

# Administrative acts.
field-login = Login 1 dan 32 tagacha kichik lotin harfi, raqam, nuqta va chiziqchadan iborat.
field-login-taken = Bu login band.
field-login-unknown = Bunday login yoʻq.
field-login-closed = Bu hisob yopilgan.
field-login-open = Bu hisob ochiq.
field-same-role = Bu xodimning roli allaqachon shunday.
field-out-of-range = Bu son juda kichik yoki juda katta.
field-not-a-day = Kunni yil-oy-kun koʻrinishida yozing.
field-not-future = Faqat bugundan keyin boshlanadigan narsani oʻzgartirish mumkin.
field-day-taken = Bu qatorda shu kun uchun yozuv bor.
field-act-unknown = Qaror bilan qoʻshilgan bunday yozuv yoʻq.
field-partner-unknown = Sozlamalarda bunday hamkor yoʻq.
field-partner-suspended = Bu hamkor allaqachon toʻxtatilgan.
field-partner-not-suspended = Bu hamkor toʻxtatilmagan.
