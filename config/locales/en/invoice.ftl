invoice-title = Invoice { $number }
invoice-issued = Issued on
invoice-pay-until = Pay by
invoice-recipient = Recipient
invoice-payer = Payer
invoice-service = Service
invoice-service-text = Registration of an electronic digital signature key and issue of its certificate
invoice-applicant-kind = Kind of applicant
invoice-bhm = Base calculation amount (BHM)
invoice-rate = Rate
invoice-discount = Discount
invoice-rule = Rule
invoice-total = To pay
invoice-currency = soʻm
invoice-scan = Scan the code with your payment app, or open the link:
invoice-note = Once it is paid, the application goes on by itself. An invoice that is not paid in time lapses; you can get a new one in the application.
invoice-state-open = Open
invoice-state-paid = Paid
invoice-state-expired = Expired
invoice-state-cancelled = Cancelled
invoice-state-refunded = Refunded

# Why a provider's payment is not taken.
payment-wrong-amount = The amount is not the invoice's.
payment-already-paid = The invoice has been paid by another transaction.
payment-not-payable = The invoice has expired or was cancelled.

# How a price came about, in the invoice and beside the price.
fee-rule = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }).
fee-rule-discount = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }), less { $reduction } of that for applying { $channel }.
fee-rule-benefit = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }), less { $reduction } of that by a benefit: { $benefit }.
fee-rule-free = Free of charge by a benefit: { $benefit }. Without it: { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }).
