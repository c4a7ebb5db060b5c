# Чего ещё не хватает черновику, чтобы его подать.
missing-phone = подтверждённый телефон
missing-offer = согласие с офертой
missing-identity = полные и согласованные личные данные
missing-csr = запрос на сертификат из программы для ключей
missing-payment = оплата счёта
missing-photo = фотография лица
missing-selfie = селфи с раскрытым паспортом
missing-power-of-attorney = доверенность от руководителя организации
missing-statement = текст заявления, подписанный новым ключом

# Почему сотрудник возвращает или отклоняет заявление.
reason-photo-unclear = Фотография недостаточно чёткая.
reason-selfie-unclear = На селфи не разобрать лицо или страницу паспорта.
reason-document-mismatch = Документ на селфи не тот, что указан в заявлении.
reason-identity-mismatch = На фотографии и на селфи разные люди.
reason-data-incomplete = Данные заявления неполны или неверны.
reason-power-of-attorney-missing = Нет доверенности.
reason-power-of-attorney-invalid = Доверенность просрочена, не подписана или выдана другому лицу.
reason-suspected-fraud = Есть признаки мошенничества.
reason-duplicate-application = Такое же заявление уже подано.
reason-other = Другая причина, см. примечание.

# В каком состоянии заявление и чей ход.
state-draft = Черновик
state-under-review = На рассмотрении
state-approved = Одобрено, сертификат выпускается
state-issued = Сертификат выдан
state-rejected = Отклонено
state-withdrawn = Отозвано заявителем
state-expired = Срок истёк
next-applicant = Ваш ход: дополните заявление и подайте его.
next-registration-officer = Заявление рассматривает сотрудник регистрации.
next-ca = Центр сертификации выпускает сертификат.
next-nobody = Дальнейших действий по этому заявлению не будет.

subject-type-natural-person = физическое лицо
subject-type-sole-proprietor = индивидуальный предприниматель
subject-type-legal-entity = юридическое лицо
channel-online = онлайн
channel-my-gov-uz = через my.gov.uz
channel-service-center = в центре государственных услуг

# Что делают сотрудники.
role-registrar = Регистрирует заявителей
role-reviewer = Рассматривает заявления
role-revocation = Меняет статус сертификатов
role-auditor = Всё видит, ничего не меняет
role-admin = Ведёт сотрудников и настройки

captcha-sum = Сколько будет { $first } плюс { $second }? Ответьте цифрами.
captcha-number-2 = два
captcha-number-3 = три
captcha-number-4 = четыре
captcha-number-5 = пять
captcha-number-6 = шесть
captcha-number-7 = семь
captcha-number-8 = восемь
captcha-number-9 = девять
captcha-number-10 = десять
captcha-number-11 = одиннадцать
captcha-number-12 = двенадцать
