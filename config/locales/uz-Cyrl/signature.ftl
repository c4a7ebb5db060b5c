# Why a document does not count as signed.
signature-no-certificate = Имзоловчи сертификати ўрнида бошқа нарса турибди.
signature-content-missing = Имзо алоҳида: имзоланган ҳужжатни ҳам беринг.
signature-unknown-signer = Имзоловчининг сертификатини бу марказ бермаган.
signature-not-valid-then = Имзолаш вақтида сертификат амал қилмаган.
signature-revoked-then = Сертификат имзолашдан олдин бекор қилинган.
signature-suspended = Сертификат тўхтатиб турилган: тикланишини ёки бекор қилинишини кутинг.
signature-no-signer-certificate = Имзода имзоловчининг сертификати йўқ, шунинг учун кимлигини айтиб бўлмайди.
signature-other-certificate-meant = Имзоловчи имзодаги сертификатни эмас, бошқасини назарда тутган. Унга ишонманг.
