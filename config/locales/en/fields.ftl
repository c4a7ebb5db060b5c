# What is wrong with a field, said to the person who filled it in.
field-required = Fill in this field.
field-not-expected = This field does not belong to this kind of applicant. Leave it out.
field-unknown-field = There is no such field. Leave it out.
field-wrong-type = This value is of another type than the field.
field-too-long = The text is too long.
field-too-short = The text is too short.
field-not-json = The body is not JSON.
field-not-base64 = This is not Base64.
field-control-characters = This text contains signs that cannot be shown.
field-not-a-choice = Choose one of the offered values.
field-pinfl-length = A PINFL has exactly 14 digits.
field-pinfl-check-digit = There is a typing mistake in the PINFL: its check digit does not fit.
field-pinfl-century = A PINFL starts with a digit from 1 to 6.
field-pinfl-date = The digits 2 to 7 of the PINFL are not a birth date.
field-date-form = Write the date as year-month-day, for example 1990-05-21.
field-birth-date-differs = The birth date is not the one in the PINFL.
field-under-age = The holder of a certificate must be at least 18 years old.
field-stir-form = A STIR has exactly 9 digits.
field-document-form = A passport or ID card number is two Latin letters and seven digits, for example AA1234567.
field-name-characters = Write the name as it stands in the passport, without signs that cannot stand in a certificate.
field-mixed-scripts = Use either Latin or Cyrillic letters, not both.
field-common-name-too-long = Surname, given name and patronymic together must not exceed 64 characters.
field-email-form = This is not a mail address, for example name@example.uz.
field-phone-form = After +998 a phone number has nine digits, for example +998901234567.
field-phone-country = The phone number must be Uzbek: it starts with +998.
field-region-unknown = There is no region with this code.
field-district-unknown = This region has no district with this code.
field-offer-not-accepted = Without accepting the offer no application is possible.
field-purpose-empty = Say what you need the certificate for.
field-reason-unknown = Choose a reason from the list.

# What an officer should look at, though nothing forbids it.
warning-stir-check-digit = The STIR may be mistyped: its check digit is unusual. Compare it with the document.
warning-stir-kind = The STIR starts like that of another kind of taxpayer. Compare it with the document.
field-benefit-unknown = There is no such benefit today.
field-benefit-not-covered = This benefit is not for such a subject or not for this district.
field-pinfl-not-holders = This is not the PINFL of the certificate’s holder.
