# What an officer has to do before anything else.
officer-password-change-required = Change your password first.
officer-totp-enrolment-required = Enrol an authenticator app first.

# What is wrong with a field of the back office or the register.
field-password-same = Choose a password that is neither the old one nor your login.
field-totp-code = The code is wrong or has been used. Wait for the next one.
field-enrolment-expired = The enrolment has expired. Start it again.
field-search-too-short = Write at least three letters of the name, or the whole number.
field-note-required = Say in the note what is wrong.
