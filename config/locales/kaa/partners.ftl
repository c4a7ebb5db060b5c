# Soraw nege sheriktiki dep qabıl etilmegeni — sayttı jalǵaytuǵınlar ushın.
signature-absent = Soraw imzalanbaǵan: Signature-Input hám Signature maydanları kerek (RFC 9421).
signature-malformed = Imza maydanların oqıp bolmadı yamasa olar bul jerde túsinilmeytuǵın nárseni qamraydı.
signature-key-unknown = keyid degi gilt belgili emes.
signature-certificate = Baylanısta usı sherik penen kelisilgen sertifikat joq.
signature-algorithm = Algoritm ed25519 bolıwı kerek.
signature-not-covered = Imza @method hám @target-uri di, soraw denesi bolsa content-type hám content-digest ti de qamrawı kerek.
signature-not-now = created degi waqıt házirgi waqıt bolıwı kerek, ayırması 300 sekundtan aspasın.
signature-digest = Soraw denesi Content-Digest tegi SHA-256 ǵa sáykes emes.
signature-wrong = Imza sorawǵa hám giltke sáykes emes. Ashıq URL menen baslanatuǵın mánzildi imzalań.
signature-used = Bul imza aldın isletilgen. Hár bir sorawdı nonce menen qaytadan imzalań.

limit-daily-quota = Bir kúnge kelisilgen arzalar sanı tawsıldı. Esap Tashkent waqtı menen yarım túnde qaytadan baslanadı.
limit-per-minute = Bir minutta sorawlar júdá kóp boldı.
