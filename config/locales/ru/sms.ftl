# $code: цифры. $number: номер счёта. $amount: сумма. $until: дата. $reason: текст reason-. $serial: первые цифры номера.
sms-code = Muhr: ваш код { $code }. Никому его не сообщайте.
sms-key-password = Muhr: пароль ключа { $password }. Смените при сохранении.
sms-application-received = Muhr: заявление на рассмотрении. Результат придёт по SMS в течение рабочего дня.
sms-invoice = Muhr: счёт { $number } на { $amount } сум. Оплатите до { $until }.
sms-paid = Muhr: счёт { $number } оплачен. Спасибо.
sms-returned = Muhr: исправьте заявление. { $reason }
sms-rejected = Muhr: заявление отклонено. { $reason }
sms-issued = Muhr: сертификат готов, действует до { $until }. Получите его в разделе «Мои заявления».
sms-suspended = Muhr: сертификат { $serial } приостановлен. Это не вы? Позвоните нам.
sms-restored = Muhr: сертификат { $serial } снова действует.
sms-revoked = Muhr: сертификат { $serial } отозван и больше не действует.
sms-refund = Muhr: по счёту { $number } возвращено { $amount } сум.
sms-expiring = Muhr: сертификат { $serial } действует до { $until }. Подайте заявление на новый заранее.
