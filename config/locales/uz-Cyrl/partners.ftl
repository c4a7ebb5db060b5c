# Сўров нега ҳамкорники деб қабул қилинмагани — сайтни улайдиганлар учун.
signature-absent = Сўров имзоланмаган: Signature-Input ва Signature майдонлари керак (RFC 9421).
signature-malformed = Имзо майдонларини ўқиб бўлмади ёки улар бу ерда тушунилмайдиган нарсани қамрайди.
signature-key-unknown = keyid даги калит маълум эмас.
signature-certificate = Уланишда ушбу ҳамкор билан келишилган сертификат йўқ.
signature-algorithm = Алгоритм ed25519 бўлиши керак.
signature-not-covered = Имзо @method ва @target-uri ни, сўров танаси бўлса content-type ва content-digest ни ҳам қамраши керак.
signature-not-now = created даги вақт ҳозирги вақт бўлиши керак, фарқи 300 сониядан ошмасин.
signature-digest = Сўров танаси Content-Digest даги SHA-256 га мос эмас.
signature-wrong = Имзо сўровга ва калитга мос эмас. Очиқ URL билан бошланадиган манзилни имзоланг.
signature-used = Бу имзо аввал ишлатилган. Ҳар бир сўровни nonce билан қайтадан имзоланг.

limit-daily-quota = Бир кунга келишилган аризалар сони тугади. Ҳисоб Тошкент вақти билан ярим тунда қайтадан бошланади.
limit-per-minute = Бир дақиқада сўровлар жуда кўп бўлди.
