# Soʻrov nega hamkorniki deb qabul qilinmagani — saytni ulaydiganlar uchun.
signature-absent = Soʻrov imzolanmagan: Signature-Input va Signature maydonlari kerak (RFC 9421).
signature-malformed = Imzo maydonlarini oʻqib boʻlmadi yoki ular bu yerda tushunilmaydigan narsani qamraydi.
signature-key-unknown = keyid dagi kalit maʼlum emas.
signature-certificate = Ulanishda ushbu hamkor bilan kelishilgan sertifikat yoʻq.
signature-algorithm = Algoritm ed25519 boʻlishi kerak.
signature-not-covered = Imzo @method va @target-uri ni, soʻrov tanasi boʻlsa content-type va content-digest ni ham qamrashi kerak.
signature-not-now = created dagi vaqt hozirgi vaqt boʻlishi kerak, farqi 300 soniyadan oshmasin.
signature-digest = Soʻrov tanasi Content-Digest dagi SHA-256 ga mos emas.
signature-wrong = Imzo soʻrovga va kalitga mos emas. Ochiq URL bilan boshlanadigan manzilni imzolang.
signature-used = Bu imzo avval ishlatilgan. Har bir soʻrovni nonce bilan qaytadan imzolang.

limit-daily-quota = Bir kunga kelishilgan arizalar soni tugadi. Hisob Toshkent vaqti bilan yarim tunda qaytadan boshlanadi.
limit-per-minute = Bir daqiqada soʻrovlar juda koʻp boʻldi.
