# Qaralamanı tapsırıw ushın jáne ne kerek.
missing-phone = tastıyıqlanǵan telefon
missing-offer = ofertaǵa razılıq
missing-identity = tolıq hám óz ara sáykes jeke maǵlıwmatlar
missing-csr = gilt baǵdarlamasınan alınǵan sertifikat sorawı
missing-payment = esap tólemi
missing-photo = júz súwreti
missing-selfie = ashıq pasport penen selfi
missing-power-of-attorney = shólkem basshısınıń isenimnaması
missing-statement = jańa gilt penen imzalanǵan arza teksti

# Xızmetker arzanı ne ushın qaytaradı yamasa qabıl etpeydi.
reason-photo-unclear = Súwret jeterli dárejede anıq emes.
reason-selfie-unclear = Selfide júzdi yamasa pasport betin ayırıp bolmaydı.
reason-document-mismatch = Selfidegi hújjet arzada kórsetilgen hújjet emes.
reason-identity-mismatch = Súwrette hám selfide basqa-basqa adamlar.
reason-data-incomplete = Arza maǵlıwmatları tolıq emes yamasa nadurıs.
reason-power-of-attorney-missing = Isenimnama joq.
reason-power-of-attorney-invalid = Isenimnama múddeti ótken, imzalanbaǵan yamasa basqa adamǵa berilgen.
reason-suspected-fraud = Aldawshılıq belgileri bar.
reason-duplicate-application = Tap usınday arza aldın berilgen.
reason-other = Basqa sebep, túsindirmege qarań.

# Arza qaysı jaǵdayda hám gezek kimde.
state-draft = Qaralama
state-under-review = Kórip shıǵılmaqta
state-approved = Tastıyıqlandı, sertifikat tayarlanbaqta
state-issued = Sertifikat berildi
state-rejected = Qabıl etilmedi
state-withdrawn = Arza beriwshi qaytarıp aldı
state-expired = Múddeti pitti
next-applicant = Gezek sizde: arzanı toltırıp, tapsırıń.
next-registration-officer = Arzanı dizimge alıw xızmetkeri kórip shıqpaqta.
next-ca = Sertifikatlaw orayı sertifikattı tayarlamaqta.
next-nobody = Bul arza boyınsha basqa hesh nárse islenbeydi.

subject-type-natural-person = fizikalıq shaxs
subject-type-sole-proprietor = jeke tártiptegi isbilermen
subject-type-legal-entity = yuridikalıq shaxs
channel-online = onlayn
channel-my-gov-uz = my.gov.uz arqalı
channel-service-center = mámleketlik xızmetler orayında

# Xızmetkerler ne isleydi.
role-registrar = Arza beriwshilerdi dizimge aladı
role-reviewer = Arzalardı kórip shıǵadı
role-revocation = Sertifikatlar jaǵdayın ózgertedi
role-auditor = Hámmesin kóredi, hesh nárseni ózgertpeydi
role-admin = Xızmetkerler hám sazlawlardı júrgizedi

captcha-sum = { $first } menen { $second } qosındısı neshege teń? Juwaptı san menen jazıń.
captcha-number-2 = eki
captcha-number-3 = úsh
captcha-number-4 = tórt
captcha-number-5 = bes
captcha-number-6 = altı
captcha-number-7 = jeti
captcha-number-8 = segiz
captcha-number-9 = toǵız
captcha-number-10 = on
captcha-number-11 = on bir
captcha-number-12 = on eki
