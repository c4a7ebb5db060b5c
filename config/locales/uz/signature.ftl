# Why a document does not count as signed.
signature-no-certificate = Imzolovchi sertifikati oʻrnida boshqa narsa turibdi.
signature-content-missing = Imzo alohida: imzolangan hujjatni ham bering.
signature-unknown-signer = Imzolovchining sertifikatini bu markaz bermagan.
signature-not-valid-then = Imzolash vaqtida sertifikat amal qilmagan.
signature-revoked-then = Sertifikat imzolashdan oldin bekor qilingan.
signature-suspended = Sertifikat toʻxtatib turilgan: tiklanishini yoki bekor qilinishini kuting.
signature-no-signer-certificate = Imzoda imzolovchining sertifikati yoʻq, shuning uchun kimligini aytib boʻlmaydi.
signature-other-certificate-meant = Imzolovchi imzodagi sertifikatni emas, boshqasini nazarda tutgan. Unga ishonmang.
