# $code: рақамлар. $number: ҳисоб рақами. $amount: сўм. $until: сана. $reason: reason- матни. $serial: рақамнинг боши.
sms-code = Muhr: кодингиз { $code }. Уни ҳеч кимга айтманг.
sms-key-password = Muhr: калитингиз пароли { $password }. Калит сақланганда алмаштиринг.
sms-application-received = Muhr: аризангиз кўриб чиқилмоқда. Натижаси бир иш куни ичида SMS орқали келади.
sms-invoice = Muhr: { $amount } сўмлик { $number }-ҳисоб. { $until } гача тўланг.
sms-paid = Muhr: { $number }-ҳисоб тўланди. Раҳмат.
sms-returned = Muhr: аризангизни тузатинг. { $reason }
sms-rejected = Muhr: аризангиз рад этилди. { $reason }
sms-issued = Muhr: сертификатингиз тайёр, { $until } гача амал қилади. Уни «Менинг аризаларим» бўлимидан олинг.
sms-suspended = Muhr: { $serial } сертификати тўхтатиб турилди. Бу сиз эмасмисиз? Бизга қўнғироқ қилинг.
sms-restored = Muhr: { $serial } сертификати яна амал қилмоқда.
sms-revoked = Muhr: { $serial } сертификати бекор қилинди ва энди амал қилмайди.
sms-refund = Muhr: { $number }-ҳисоб бўйича { $amount } сўм қайтарилди.
sms-expiring = Muhr: { $serial } сертификати { $until } гача амал қилади. Янгисига олдиндан ариза беринг.
