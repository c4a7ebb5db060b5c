# What an officer has to do before anything else.
officer-password-change-required = Aldın paroldi almastırıń.
officer-totp-enrolment-required = Aldın autentifikator baǵdarlamasın jalǵań.

# What is wrong with a field of the back office or the register.
field-password-same = Eski parol hám loginge teń bolmaǵan parol tańlań.
field-password-guessable = Bul paroldi tabıw ańsat: ol belgili parol yamasa sóz, sáne hám klaviatura qatarlarınan dúzilgen. Basqasın tańlań.
field-totp-code = Kod nadurıs yamasa paydalanılǵan. Keyingisin kútiń.
field-enrolment-expired = Jalǵaw múddeti ótken. Qaytadan baslań.
field-search-too-short = Attıń keminde úsh háribin yamasa nomerdi tolıq jazıń.
field-note-required = Ne nadurıs ekenin eskertiwde jazıń.
field-totp-not-enrolled = Aldın autentifikatordı jalǵań.

# Administrative acts.
field-login = Login 1 den 32 ge shekem kishi latın háripi, cifr, noqat hám sızıqshadan ibarat.
field-login-taken = Bul login bánt.
field-login-unknown = Bunday login joq.
field-login-closed = Bul esap jabılǵan.
field-login-open = Bul esap ashıq.
field-same-role = Bul xızmetkerdiń roli álleqashan usınday.
field-out-of-range = Bul san júdá kishi yamasa júdá úlken.
field-not-a-day = Kúndi jıl-ay-kún kórinisinde jazıń.
field-not-future = Tek búginnen keyin baslanatuǵın nárseni ózgertiw múmkin.
field-day-taken = Bul qatarda usı kún ushın jazıw bar.
field-act-unknown = Qarar menen qosılǵan bunday jazıw joq.
field-partner-unknown = Sazlawlarda bunday sherik joq.
field-partner-suspended = Bul sherik álleqashan toqtatılǵan.
field-partner-not-suspended = Bul sherik toqtatılmaǵan.
