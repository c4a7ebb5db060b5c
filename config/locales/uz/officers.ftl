# What an officer has to do before anything else.
officer-password-change-required = Avval parolingizni almashtiring.
officer-totp-enrolment-required = Avval autentifikator ilovasini ulang.

# What is wrong with a field of the back office or the register.
field-password-same = Eski parol va login bilan bir xil boʻlmagan parol tanlang.
field-totp-code = Kod notoʻgʻri yoki ishlatilgan. Keyingisini kuting.
field-enrolment-expired = Ulash muddati oʻtgan. Qaytadan boshlang.
field-search-too-short = Ismning kamida uchta harfini yoki raqamni toʻliq yozing.
field-note-required = Nima notoʻgʻri ekanini izohda yozing.
