# What an officer has to do before anything else.
officer-password-change-required = Aldın paroldi almastırıń.
officer-totp-enrolment-required = Aldın autentifikator baǵdarlamasın jalǵań.

# What is wrong with a field of the back office or the register.
field-password-same = Eski parol hám loginge teń bolmaǵan parol tańlań.
field-totp-code = Kod nadurıs yamasa paydalanılǵan. Keyingisin kútiń.
field-enrolment-expired = Jalǵaw múddeti ótken. Qaytadan baslań.
field-search-too-short = Attıń keminde úsh háribin yamasa nomerdi tolıq jazıń.
field-note-required = Ne nadurıs ekenin eskertiwde jazıń.
