invoice-title = Счёт № { $number }
invoice-issued = Выставлен
invoice-pay-until = Оплатить до
invoice-recipient = Получатель
invoice-payer = Плательщик
invoice-service = Услуга
invoice-service-text = Регистрация ключа электронной цифровой подписи и выдача его сертификата
invoice-applicant-kind = Вид заявителя
invoice-bhm = Базовая расчётная величина (БРВ)
invoice-rate = Ставка
invoice-discount = Скидка
invoice-rule = Правило
invoice-total = К оплате
invoice-currency = сум
invoice-scan = Отсканируйте код в платёжном приложении или откройте ссылку:
invoice-note = После оплаты рассмотрение продолжится само. Неоплаченный в срок счёт аннулируется; новый можно получить в заявлении.
invoice-state-open = Не оплачен
invoice-state-paid = Оплачен
invoice-state-expired = Просрочен
invoice-state-cancelled = Отменён
invoice-state-refunded = Деньги возвращены

# Why a provider's call is not followed; payers read these in the provider's application.
payment-unknown-invoice = Счёта с таким номером нет.
payment-wrong-amount = Сумма не совпадает с суммой счёта.
payment-already-paid = Счёт уже оплачен другим платежом.
payment-expired = Срок оплаты счёта истёк. Получите новый счёт в заявлении.
payment-cancelled = Счёт отменён, платить не нужно.
payment-being-paid = Счёт сейчас оплачивается другим платежом. Повторите попытку позже.
payment-unknown-transaction = Такой транзакции нет.
payment-other-transaction = Эта транзакция относится к другому счёту или сумме.
payment-transaction-cancelled = Транзакция отменена.
payment-timed-out = Время транзакции истекло. Оплатите ещё раз.
payment-not-cancellable = Услуга уже оказывается, отменить платёж нельзя.
payment-system-error = Сервис занят. Повторите попытку через несколько минут.
payment-call-not-understood = Запрос не распознан.
payment-call-unauthenticated = Отправитель запроса не опознан.

# Как сложилась цена: в счёте и рядом с ценой.
fee-rule = { $rate } от базовой расчётной величины ({ $bhm } сум с { $since }).
fee-rule-discount = { $rate } от базовой расчётной величины ({ $bhm } сум с { $since }) минус { $reduction } от этого за заявление { $channel }.
fee-rule-benefit = { $rate } от базовой расчётной величины ({ $bhm } сум с { $since }) минус { $reduction } от этого по льготе: { $benefit }.
fee-rule-free = Бесплатно по льготе: { $benefit }. Без неё: { $rate } от базовой расчётной величины ({ $bhm } сум с { $since }).
