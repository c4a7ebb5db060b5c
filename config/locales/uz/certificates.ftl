certificate-status-good = Amal qilmoqda
certificate-status-suspended = Toʻxtatib turilgan
certificate-status-revoked = Bekor qilingan
certificate-status-expired = Muddati tugagan

# RFC 5280, 5.3.1-boʻlim.
revocation-reason-unspecified = Sababi koʻrsatilmagan
revocation-reason-keyCompromise = Kalit yoʻqolgan, oʻgʻirlangan yoki boshqalarga maʼlum boʻlgan
revocation-reason-cACompromise = Markaz kaliti oshkor boʻlgan
revocation-reason-affiliationChanged = Egasining maʼlumotlari yoki lavozimi oʻzgargan
revocation-reason-superseded = Boshqa sertifikat bilan almashtirilgan
revocation-reason-cessationOfOperation = Endi kerak emas
revocation-reason-certificateHold = Toʻxtatib turilgan
revocation-reason-privilegeWithdrawn = Unga boʻlgan huquq bekor qilingan
revocation-reason-aACompromise = Atributlar markazi kaliti oshkor boʻlgan

# Holatni nima uchun oʻzgartirib boʻlmaydi.
status-change-already-revoked = Sertifikat bekor qilingan, buni qaytarib boʻlmaydi.
status-change-already-suspended = Sertifikat allaqachon toʻxtatib turilgan.
status-change-not-suspended = Sertifikat toʻxtatib turilmagan.
status-change-expired = Sertifikatning amal qilish muddati tugagan.
status-change-reason-not-allowed = Siz bu sababni koʻrsata olmaysiz.
status-change-restoration-not-allowed = Sertifikatni faqat bekor qilish boʻyicha xodim tiklay oladi.
status-change-invalidity-in-future = Kalit shubha ostiga olingan kun hali kelmagan.
