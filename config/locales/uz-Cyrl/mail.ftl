# Хатлар мавзуси. Хабарнинг ўзи шу номдаги sms- матни. $number, $until, $serial ўша ердагидек.
mail-subject-application-received = Аризангиз кўриб чиқилмоқда
mail-subject-invoice = { $number }-ҳисоб
mail-subject-paid = { $number }-ҳисоб тўланди
mail-subject-returned = Аризангизни тузатинг
mail-subject-rejected = Аризангиз рад этилди
mail-subject-issued = Сертификатингиз тайёр
mail-subject-suspended = { $serial } сертификати тўхтатиб турилди
mail-subject-restored = { $serial } сертификати яна амал қилмоқда
mail-subject-revoked = { $serial } сертификати бекор қилинди
mail-subject-expiring = { $serial } сертификати { $until } гача амал қилади
mail-subject-refund = { $number }-ҳисоб бўйича пул қайтарилди

mail-greeting = Ассалому алайкум!
mail-open = Менинг аризаларимни очиш
mail-footer = Бу хабар автоматик юборилди; унга ёзилган жавоблар ўқилмайди.
mail-calendar = Илова қилинган тақвим ёзуви сертификат муддати тугашини эслатади.
mail-opt-out = Менга бошқа эслатма юборманг
mail-opt-out-title = Бошқа эслатма юборилмасинми?
mail-opt-out-ask = Сертификат муддати тугаши ҳақидаги эслатмалар бу почта манзилига бошқа юборилмайди. SMS келаверади.
mail-opt-out-do = Бошқа юборманг
mail-opt-out-done = Эслатмалар бу почта манзилига бошқа юборилмайди.
