# Қораламани топшириш учун яна нима керак.
missing-phone = тасдиқланган телефон
missing-offer = офертага розилик
missing-identity = тўлиқ ва ўзаро мос шахсий маълумотлар
missing-csr = калит дастуридан олинган сертификат сўрови
missing-payment = ҳисоб тўлови
missing-photo = юз сурати
missing-selfie = очиқ паспорт билан селфи
missing-power-of-attorney = ташкилот раҳбарининг ишончномаси
missing-statement = янги калит билан имзоланган ариза матни

# Ходим аризани нима учун қайтаради ёки рад этади.
reason-photo-unclear = Сурат етарлича аниқ эмас.
reason-selfie-unclear = Селфида юз ёки паспорт саҳифасини ажратиб бўлмайди.
reason-document-mismatch = Селфидаги ҳужжат аризада кўрсатилган ҳужжат эмас.
reason-identity-mismatch = Сурат ва селфида бошқа-бошқа одамлар.
reason-data-incomplete = Ариза маълумотлари тўлиқ эмас ёки нотўғри.
reason-power-of-attorney-missing = Ишончнома йўқ.
reason-power-of-attorney-invalid = Ишончнома муддати ўтган, имзоланмаган ёки бошқа шахсга берилган.
reason-suspected-fraud = Фирибгарлик белгилари бор.
reason-duplicate-application = Худди шундай ариза аввал берилган.
reason-other = Бошқа сабаб, изоҳга қаранг.

# Ариза қайси ҳолатда ва навбат кимда.
state-draft = Қоралама
state-under-review = Кўриб чиқилмоқда
state-approved = Тасдиқланди, сертификат тайёрланмоқда
state-issued = Сертификат берилди
state-rejected = Рад этилди
state-withdrawn = Аризачи қайтариб олди
state-expired = Муддати тугади
next-applicant = Навбат сизда: аризани тўлдириб, топширинг.
next-registration-officer = Аризани рўйхатга олиш ходими кўриб чиқмоқда.
next-ca = Сертификатлаш маркази сертификатни тайёрламоқда.
next-nobody = Бу ариза бўйича бошқа ҳеч нарса қилинмайди.

subject-type-natural-person = жисмоний шахс
subject-type-sole-proprietor = якка тартибдаги тадбиркор
subject-type-legal-entity = юридик шахс
channel-online = онлайн
channel-my-gov-uz = my.gov.uz орқали
channel-service-center = давлат хизматлари марказида

# Ходимлар нима қилади.
role-registrar = Аризачиларни рўйхатга олади
role-reviewer = Аризаларни кўриб чиқади
role-revocation = Сертификатлар ҳолатини ўзгартиради
role-auditor = Ҳаммасини кўради, ҳеч нарсани ўзгартирмайди
role-admin = Ходимлар ва созламаларни юритади

captcha-sum = { $first } билан { $second }нинг йиғиндиси нечага тенг? Жавобни рақам билан ёзинг.
captcha-number-2 = икки
captcha-number-3 = уч
captcha-number-4 = тўрт
captcha-number-5 = беш
captcha-number-6 = олти
captcha-number-7 = етти
captcha-number-8 = саккиз
captcha-number-9 = тўққиз
captcha-number-10 = ўн
captcha-number-11 = ўн бир
captcha-number-12 = ўн икки
