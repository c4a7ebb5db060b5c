invoice-title = { $number }-sonli hisob
invoice-issued = Berilgan sana
invoice-pay-until = Toʻlov muddati
invoice-recipient = Oluvchi
invoice-payer = Toʻlovchi
invoice-service = Xizmat
invoice-service-text = Elektron raqamli imzo kalitini roʻyxatga olish va uning sertifikatini berish
invoice-applicant-kind = Arizachi turi
invoice-bhm = Bazaviy hisoblash miqdori (BHM)
invoice-rate = Stavka
invoice-discount = Chegirma
invoice-rule = Qoida
invoice-total = Toʻlash kerak
invoice-currency = soʻm
invoice-scan = Kodni toʻlov ilovangizda skanerlang yoki havolani oching:
invoice-note = Toʻlovdan keyin ariza oʻz-oʻzidan davom etadi. Muddatida toʻlanmagan hisob bekor boʻladi; yangisini arizada olishingiz mumkin.
invoice-state-open = Toʻlanmagan
invoice-state-paid = Toʻlangan
invoice-state-expired = Muddati oʻtgan
invoice-state-cancelled = Bekor qilingan
invoice-state-refunded = Pul qaytarilgan

# Why a provider's call is not followed; payers read these in the provider's application.
payment-unknown-invoice = Bunday raqamli hisob yoʻq.
payment-wrong-amount = Summa hisobdagidan boshqacha.
payment-already-paid = Hisob boshqa toʻlov bilan toʻlangan.
payment-expired = Hisobni toʻlash muddati oʻtgan. Arizada yangi hisob oling.
payment-cancelled = Hisob bekor qilingan, toʻlash shart emas.
payment-being-paid = Hisob hozir boshqa toʻlov bilan toʻlanmoqda. Keyinroq urinib koʻring.
payment-unknown-transaction = Bunday tranzaksiya yoʻq.
payment-other-transaction = Bu tranzaksiya boshqa hisob yoki summaga tegishli.
payment-transaction-cancelled = Tranzaksiya bekor qilingan.
payment-timed-out = Tranzaksiya vaqti tugagan. Qaytadan toʻlang.
payment-not-cancellable = Xizmat koʻrsatilmoqda, toʻlovni bekor qilib boʻlmaydi.
payment-system-error = Xizmat band. Bir necha daqiqadan soʻng urinib koʻring.
payment-call-not-understood = Soʻrov tushunarsiz.
payment-call-unauthenticated = Soʻrov yuboruvchisi nomaʼlum.

# Narx qanday kelib chiqqani: hisobda va narx yonida.
fee-rule = Bazaviy hisoblash miqdorining { $rate } qismi ({ $since } sanasidan { $bhm } soʻm).
fee-rule-discount = Bazaviy hisoblash miqdorining { $rate } qismi ({ $since } sanasidan { $bhm } soʻm), { $channel } berilgan ariza uchun { $reduction } chegirma bilan.
fee-rule-benefit = Bazaviy hisoblash miqdorining { $rate } qismi ({ $since } sanasidan { $bhm } soʻm), imtiyoz boʻyicha { $reduction } kam: { $benefit }.
fee-rule-free = Imtiyoz boʻyicha bepul: { $benefit }. Imtiyozsiz: bazaviy hisoblash miqdorining { $rate } qismi ({ $since } sanasidan { $bhm } soʻm).
