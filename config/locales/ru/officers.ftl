# What an officer has to do before anything else.
officer-password-change-required = Сначала смените пароль.
officer-totp-enrolment-required = Сначала подключите приложение-аутентификатор.

# What is wrong with a field of the back office or the register.
field-password-same = Выберите пароль, который не совпадает ни со старым, ни с логином.
field-totp-code = Код неверен или уже использован. Дождитесь следующего.
field-enrolment-expired = Время подключения истекло. Начните заново.
field-search-too-short = Введите не менее трёх букв имени или номер целиком.
field-note-required = Укажите в примечании, что не так.
