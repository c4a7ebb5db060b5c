# Qoralamani topshirish uchun yana nima kerak.
missing-phone = tasdiqlangan telefon
missing-offer = ofertaga rozilik
missing-identity = toʻliq va oʻzaro mos shaxsiy maʼlumotlar
missing-csr = kalit dasturidan olingan sertifikat soʻrovi
missing-payment = hisob toʻlovi
missing-photo = yuz surati
missing-selfie = ochiq pasport bilan selfi
missing-power-of-attorney = tashkilot rahbarining ishonchnomasi
missing-statement = yangi kalit bilan imzolangan ariza matni

# Xodim arizani nima uchun qaytaradi yoki rad etadi.
reason-photo-unclear = Surat yetarlicha aniq emas.
reason-selfie-unclear = Selfida yuz yoki pasport sahifasini ajratib boʻlmaydi.
reason-document-mismatch = Selfidagi hujjat arizada koʻrsatilgan hujjat emas.
reason-identity-mismatch = Surat va selfida boshqa-boshqa odamlar.
reason-data-incomplete = Ariza maʼlumotlari toʻliq emas yoki notoʻgʻri.
reason-power-of-attorney-missing = Ishonchnoma yoʻq.
reason-power-of-attorney-invalid = Ishonchnoma muddati oʻtgan, imzolanmagan yoki boshqa shaxsga berilgan.
reason-suspected-fraud = Firibgarlik belgilari bor.
reason-duplicate-application = Xuddi shunday ariza avval berilgan.
reason-other = Boshqa sabab, izohga qarang.

# Ariza qaysi holatda va navbat kimda.
state-draft = Qoralama
state-under-review = Koʻrib chiqilmoqda
state-approved = Tasdiqlandi, sertifikat tayyorlanmoqda
state-issued = Sertifikat berildi
state-rejected = Rad etildi
state-withdrawn = Arizachi qaytarib oldi
state-expired = Muddati tugadi
next-applicant = Navbat sizda: arizani toʻldirib, topshiring.
next-registration-officer = Arizani roʻyxatga olish xodimi koʻrib chiqmoqda.
next-ca = Sertifikatlash markazi sertifikatni tayyorlamoqda.
next-nobody = Bu ariza boʻyicha boshqa hech narsa qilinmaydi.

subject-type-natural-person = jismoniy shaxs
subject-type-sole-proprietor = yakka tartibdagi tadbirkor
subject-type-legal-entity = yuridik shaxs
channel-online = onlayn
channel-my-gov-uz = my.gov.uz orqali
channel-service-center = davlat xizmatlari markazida

# Xodimlar nima qiladi.
role-registrar = Arizachilarni roʻyxatga oladi
role-reviewer = Arizalarni koʻrib chiqadi
role-revocation = Sertifikatlar holatini oʻzgartiradi
role-auditor = Hammasini koʻradi, hech narsani oʻzgartirmaydi
role-admin = Xodimlar va sozlamalarni yuritadi

captcha-sum = { $first } bilan { $second }ning yigʻindisi nechaga teng? Javobni raqam bilan yozing.
captcha-number-2 = ikki
captcha-number-3 = uch
captcha-number-4 = toʻrt
captcha-number-5 = besh
captcha-number-6 = olti
captcha-number-7 = yetti
captcha-number-8 = sakkiz
captcha-number-9 = toʻqqiz
captcha-number-10 = oʻn
captcha-number-11 = oʻn bir
captcha-number-12 = oʻn ikki
