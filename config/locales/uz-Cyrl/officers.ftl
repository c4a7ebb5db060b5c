# What an officer has to do before anything else.
officer-password-change-required = Аввал паролингизни алмаштиринг.
officer-totp-enrolment-required = Аввал аутентификатор иловасини уланг.

# What is wrong with a field of the back office or the register.
field-password-same = Эски парол ва логин билан бир хил бўлмаган парол танланг.
field-totp-code = Код нотўғри ёки ишлатилган. Кейингисини кутинг.
field-enrolment-expired = Улаш муддати ўтган. Қайтадан бошланг.
field-search-too-short = Исмнинг камида учта ҳарфини ёки рақамни тўлиқ ёзинг.
field-note-required = Нима нотўғри эканини изоҳда ёзинг.
