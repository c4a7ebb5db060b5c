# Темы писем. Само сообщение — текст sms- с тем же именем. $number, $until, $serial — как там.
mail-subject-application-received = Ваше заявление на рассмотрении
mail-subject-invoice = Счёт { $number }
mail-subject-paid = Счёт { $number } оплачен
mail-subject-returned = Исправьте заявление
mail-subject-rejected = Ваше заявление отклонено
mail-subject-issued = Ваш сертификат готов
mail-subject-suspended = Сертификат { $serial } приостановлен
mail-subject-restored = Сертификат { $serial } снова действует
mail-subject-revoked = Сертификат { $serial } отозван
mail-subject-expiring = Сертификат { $serial } действует до { $until }
mail-subject-refund = Возврат по счёту { $number }

mail-greeting = Здравствуйте!
mail-open = Открыть мои заявления
mail-footer = Это сообщение отправлено автоматически; ответы на него не читаются.
mail-calendar = Вложенная запись календаря напомнит вам об окончании срока сертификата.
mail-opt-out = Больше не присылать напоминания
mail-opt-out-title = Больше не присылать напоминания?
mail-opt-out-ask = Напоминания об окончании срока сертификатов больше не будут приходить на этот адрес почты. SMS приходить будут.
mail-opt-out-do = Не присылать
mail-opt-out-done = Напоминания на этот адрес почты больше не отправляются.
