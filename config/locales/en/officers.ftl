# What an officer has to do before anything else.
officer-password-change-required = Change your password first.
officer-totp-enrolment-required = Enrol an authenticator app first.

# What is wrong with a field of the back office or the register.
field-password-same = Choose a password that is neither the old one nor your login.
field-password-guessable = This password is easy to guess: it is a known one, or is made of words, dates or rows of keys. Choose another.
field-totp-code = The code is wrong or has been used. Wait for the next one.
field-enrolment-expired = The enrolment has expired. Start it again.
field-search-too-short = Write at least three letters of the name, or the whole number.
field-note-required = Say in the note what is wrong.
field-totp-not-enrolled = Enrol an authenticator first.

# Administrative acts.
field-login = A login is 1 to 32 small Latin letters, digits, dots and hyphens.
field-login-taken = Somebody has this login.
field-login-unknown = Nobody has this login.
field-login-closed = This account is closed.
field-login-open = This account is open.
field-same-role = This officer has that role already.
field-out-of-range = This number is too small or too large.
field-not-a-day = Write a day as year-month-day.
field-not-future = Only what begins after today can be changed.
field-day-taken = This series has an entry for that day already.
field-act-unknown = There is no such entry that an act has added.
field-partner-unknown = The settings name no such partner.
field-partner-suspended = This partner is suspended already.
field-partner-not-suspended = This partner is not suspended.
