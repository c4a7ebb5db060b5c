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

# Why a provider's call is not followed; payers read these in the provider's application.
payment-unknown-invoice = There is no invoice with this number.
payment-wrong-amount = The amount is not the invoice's.
payment-already-paid = The invoice has been paid by another transaction.
payment-expired = The time to pay this invoice has passed. Get a new one in the application.
payment-cancelled = The invoice is cancelled: nothing is to be paid.
payment-being-paid = The invoice is being paid by another transaction. Try again later.
payment-unknown-transaction = There is no such transaction.
payment-other-transaction = This transaction is about another invoice or amount.
payment-transaction-cancelled = The transaction is cancelled.
payment-timed-out = The transaction has run out of time. Pay again.
payment-not-cancellable = The service is being provided: the payment cannot be cancelled any more.
payment-system-error = The service is busy. Try again in a few minutes.
payment-call-not-understood = The call was not understood.
payment-call-unauthenticated = The caller is not known.

# How a price came about, in the invoice and beside the price.
fee-rule = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }).
fee-rule-discount = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }), less { $reduction } of that for applying { $channel }.
fee-rule-benefit = { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }), less { $reduction } of that by a benefit: { $benefit }.
fee-rule-free = Free of charge by a benefit: { $benefit }. Without it: { $rate } of the base calculation amount ({ $bhm } soʻm since { $since }).
