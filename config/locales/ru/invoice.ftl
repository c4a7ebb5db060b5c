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
invoice-total = К оплате
invoice-currency = сум
invoice-scan = Отсканируйте код в платёжном приложении или откройте ссылку:
invoice-note = После оплаты рассмотрение продолжится само. Неоплаченный в срок счёт аннулируется; новый можно получить в заявлении.
invoice-state-open = Не оплачен
invoice-state-paid = Оплачен
invoice-state-expired = Просрочен
invoice-state-cancelled = Отменён
invoice-state-refunded = Деньги возвращены

# Why a provider's payment is not taken.
payment-wrong-amount = Сумма не совпадает с суммой счёта.
payment-already-paid = Счёт уже оплачен другим платежом.
payment-not-payable = Срок счёта истёк, или он отменён.
