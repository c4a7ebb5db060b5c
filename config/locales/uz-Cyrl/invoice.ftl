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

# Why a provider's payment is not taken.
payment-wrong-amount = Сумма ҳисобдагидан бошқача.
payment-already-paid = Ҳисоб бошқа тўлов билан тўланган.
payment-not-payable = Ҳисобнинг муддати ўтган ёки у бекор қилинган.

# Нарх қандай келиб чиққани: ҳисобда ва нарх ёнида.
fee-rule = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм).
fee-rule-discount = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм), { $channel } берилган ариза учун { $reduction } чегирма билан.
fee-rule-benefit = Базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм), имтиёз бўйича { $reduction } кам: { $benefit }.
fee-rule-free = Имтиёз бўйича бепул: { $benefit }. Имтиёзсиз: базавий ҳисоблаш миқдорининг { $rate } қисми ({ $since } санасидан { $bhm } сўм).
