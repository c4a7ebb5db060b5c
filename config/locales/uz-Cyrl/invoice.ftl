invoice-title = { $number }-сонли ҳисоб
invoice-issued = Берилган сана
invoice-pay-until = Тўлов муддати
invoice-recipient = Олувчи
invoice-payer = Тўловчи
invoice-service = Хизмат
invoice-service-text = Электрон рақамли имзо калитини рўйхатга олиш ва унинг сертификатини бериш
invoice-applicant-kind = Аризачи тури
invoice-bhm = Базавий ҳисоблаш миқдори (БҲМ)
invoice-rate = Ставка
invoice-discount = Чегирма
invoice-rule = Қоида
invoice-total = Тўлаш керак
invoice-currency = сўм
invoice-scan = Кодни тўлов иловангизда сканерланг ёки ҳаволани очинг:
invoice-note = Тўловдан кейин ариза ўз-ўзидан давом этади. Муддатида тўланмаган ҳисоб бекор бўлади; янгисини аризада олишингиз мумкин.
invoice-state-open = Тўланмаган
invoice-state-paid = Тўланган
invoice-state-expired = Муддати ўтган
invoice-state-cancelled = Бекор қилинган
invoice-state-refunded = Пул қайтарилган

# Why a provider's call is not followed; payers read these in the provider's application.
payment-unknown-invoice = Бундай рақамли ҳисоб йўқ.
payment-wrong-amount = Сумма ҳисобдагидан бошқача.
payment-already-paid = Ҳисоб бошқа тўлов билан тўланган.
payment-expired = Ҳисобни тўлаш муддати ўтган. Аризада янги ҳисоб олинг.
payment-cancelled = Ҳисоб бекор қилинган, тўлаш шарт эмас.
payment-being-paid = Ҳисоб ҳозир бошқа тўлов билан тўланмоқда. Кейинроқ уриниб кўринг.
payment-unknown-transaction = Бундай транзакция йўқ.
payment-other-transaction = Бу транзакция бошқа ҳисоб ёки суммага тегишли.
payment-transaction-cancelled = Транзакция бекор қилинган.
payment-timed-out = Транзакция вақти тугаган. Қайтадан тўланг.
payment-not-cancellable = Хизмат кўрсатилмоқда, тўловни бекор қилиб бўлмайди.
payment-system-error = Хизмат банд. Бир неча дақиқадан сўнг уриниб кўринг.
payment-call-not-understood = Сўров тушунарсиз.
payment-call-unauthenticated = Сўров юборувчиси номаълум.

# Нарх қандай келиб чиққани: ҳисобда ва нарх ёнида.
fee-rule = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм).
fee-rule-discount = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм), { $channel } берилган ариза учун { $reduction } чегирма билан.
fee-rule-benefit = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм), имтиёз бўйича { $reduction } кам: { $benefit }.
fee-rule-free = Имтиёз бўйича бепул: { $benefit }. Имтиёзсиз: базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм).
