# What an officer has to do before anything else.
officer-password-change-required = Сначала смените пароль.
officer-totp-enrolment-required = Сначала подключите приложение-аутентификатор.

# What is wrong with a field of the back office or the register.
field-password-same = Выберите пароль, который не совпадает ни со старым, ни с логином.
field-password-guessable = Этот пароль легко угадать: он известен или составлен из слов, дат или рядов клавиш. Выберите другой.
field-totp-code = Код неверен или уже использован. Дождитесь следующего.
field-enrolment-expired = Время подключения истекло. Начните заново.
field-search-too-short = Введите не менее трёх букв имени или номер целиком.
field-note-required = Укажите в примечании, что не так.
field-totp-not-enrolled = Сначала подключите аутентификатор.

# Administrative acts.
field-login = Логин — от 1 до 32 строчных латинских букв, цифр, точек и дефисов.
field-login-taken = Этот логин занят.
field-login-unknown = Такого логина нет.
field-login-closed = Эта учётная запись закрыта.
field-login-open = Эта учётная запись открыта.
field-same-role = У этого сотрудника уже такая роль.
field-out-of-range = Это число слишком мало или слишком велико.
field-not-a-day = Напишите день как год-месяц-день.
field-not-future = Изменить можно лишь то, что начнётся после сегодняшнего дня.
field-day-taken = В этом ряду уже есть запись на этот день.
field-act-unknown = Такой записи, добавленной решением, нет.
field-partner-unknown = В настройках такого партнёра нет.
field-partner-suspended = Этот партнёр уже приостановлен.
field-partner-not-suspended = Этот партнёр не приостановлен.
