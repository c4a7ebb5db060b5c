# What an officer has to do before anything else.
officer-password-change-required = Аввал паролингизни алмаштиринг.
officer-totp-enrolment-required = Аввал аутентификатор иловасини уланг.

# What is wrong with a field of the back office or the register.
field-password-same = Эски парол ва логин билан бир хил бўлмаган парол танланг.
field-password-guessable = Бу паролни топиш осон: у маълум парол ёки сўз, сана ва клавиатура қаторларидан тузилган. Бошқасини танланг.
field-totp-code = Код нотўғри ёки ишлатилган. Кейингисини кутинг.
field-enrolment-expired = Улаш муддати ўтган. Қайтадан бошланг.
field-search-too-short = Исмнинг камида учта ҳарфини ёки рақамни тўлиқ ёзинг.
field-note-required = Нима нотўғри эканини изоҳда ёзинг.
field-totp-not-enrolled = Аввал аутентификаторни уланг.

# Administrative acts.
field-login = Логин 1 дан 32 тагача кичик лотин ҳарфи, рақам, нуқта ва чизиқчадан иборат.
field-login-taken = Бу логин банд.
field-login-unknown = Бундай логин йўқ.
field-login-closed = Бу ҳисоб ёпилган.
field-login-open = Бу ҳисоб очиқ.
field-same-role = Бу ходимнинг роли аллақачон шундай.
field-out-of-range = Бу сон жуда кичик ёки жуда катта.
field-not-a-day = Кунни йил-ой-кун кўринишида ёзинг.
field-not-future = Фақат бугундан кейин бошланадиган нарсани ўзгартириш мумкин.
field-day-taken = Бу қаторда шу кун учун ёзув бор.
field-act-unknown = Қарор билан қўшилган бундай ёзув йўқ.
field-partner-unknown = Созламаларда бундай ҳамкор йўқ.
field-partner-suspended = Бу ҳамкор аллақачон тўхтатилган.
field-partner-not-suspended = Бу ҳамкор тўхтатилмаган.
