# $code: the digits. $number: the invoice's. $amount: soʻm. $until: a date. $reason: a reason- text. $serial: its first digits.
sms-code = Muhr: your code is { $code }. Tell it to nobody.
sms-key-password = Muhr: the password of your key is { $password }. Replace it when the key is saved.
sms-application-received = Muhr: your application is under review. You will get the result by SMS within one working day.
sms-invoice = Muhr: invoice { $number } for { $amount } soʻm. Pay it by { $until }.
sms-paid = Muhr: invoice { $number } is paid. Thank you.
sms-returned = Muhr: please correct your application. { $reason }
sms-rejected = Muhr: your application was rejected. { $reason }
sms-issued = Muhr: your certificate is ready, valid until { $until }. Get it under "My applications".
sms-suspended = Muhr: certificate { $serial } is suspended. Was it not you? Call us.
sms-restored = Muhr: certificate { $serial } is valid again.
sms-revoked = Muhr: certificate { $serial } is revoked and cannot be used any more.
sms-refund = Muhr: { $amount } soʻm of invoice { $number } have been refunded.
sms-expiring = Muhr: certificate { $serial } is valid until { $until }. Apply for a new one in good time.
