# Subjects of mail. What it says is the sms- text of the same name. $number, $until, $serial as there.
mail-subject-application-received = Your application is under review
mail-subject-invoice = Invoice { $number }
mail-subject-paid = Invoice { $number } is paid
mail-subject-returned = Please correct your application
mail-subject-rejected = Your application was rejected
mail-subject-issued = Your certificate is ready
mail-subject-suspended = Certificate { $serial } is suspended
mail-subject-restored = Certificate { $serial } is valid again
mail-subject-revoked = Certificate { $serial } is revoked
mail-subject-expiring = Certificate { $serial } ends on { $until }
mail-subject-refund = Refund for invoice { $number }

mail-greeting = Hello,
mail-open = Open my applications
mail-footer = This message was sent automatically; replies to it are not read.
mail-calendar = The attached calendar entry reminds you of the end of the certificate.
mail-opt-out = Send me no more reminders
mail-opt-out-title = No more reminders?
mail-opt-out-ask = Reminders about the end of certificates will no longer be sent to this mail address. SMS will still come.
mail-opt-out-do = Send no more reminders
mail-opt-out-done = Reminders are no longer sent to this mail address.
