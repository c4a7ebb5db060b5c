invoice-title = { $number }-sanlı esap
invoice-issued = Berilgen sáne
invoice-pay-until = Tólem múddeti
invoice-recipient = Alıwshı
invoice-payer = Tólewshi
invoice-service = Xızmet
invoice-service-text = Elektron cifrlı imza giltin dizimge alıw hám onıń sertifikatın beriw
invoice-applicant-kind = Arza beriwshi túri
invoice-bhm = Bazalıq esaplaw muǵdarı (BEM)
invoice-rate = Stavka
invoice-discount = Jeńillik
invoice-rule = Qaǵıyda
invoice-total = Tólew kerek
invoice-currency = sum
invoice-scan = Kodtı tólem qosımshańızda skanerleń yamasa siltemeni ashıń:
invoice-note = Tólemnen keyin arza óz-ózinen dawam etedi. Múddetinde tólenbegen esap biykar boladı; jańasın arzada alıwıńız múmkin.
invoice-state-open = Tólenbegen
invoice-state-paid = Tólengen
invoice-state-expired = Múddeti ótken
invoice-state-cancelled = Biykar etilgen
invoice-state-refunded = Pul qaytarılǵan

# Why a provider's call is not followed; payers read these in the provider's application.
payment-unknown-invoice = Bunday nomerli esap joq.
payment-wrong-amount = Summa esaptaǵıdan basqasha.
payment-already-paid = Esap basqa tólem menen tólengen.
payment-expired = Esaptı tólew múddeti ótken. Arzada jańa esap alıń.
payment-cancelled = Esap biykar etilgen, tólew shárt emes.
payment-being-paid = Esap házir basqa tólem menen tólenip atır. Keyinirek urınıp kóriń.
payment-unknown-transaction = Bunday tranzakciya joq.
payment-other-transaction = Bul tranzakciya basqa esapqa yamasa summaǵa tiyisli.
payment-transaction-cancelled = Tranzakciya biykar etilgen.
payment-timed-out = Tranzakciyanıń waqtı tawsılǵan. Qaytadan tóleń.
payment-not-cancellable = Xızmet kórsetilip atır, tólemdi biykar etip bolmaydı.
payment-system-error = Xızmet bánt. Bir neshe minuttan keyin urınıp kóriń.
payment-call-not-understood = Soraw túsiniksiz.
payment-call-unauthenticated = Soraw jiberiwshisi belgisiz.

# Baha qalay kelip shıqqanı: esapta hám baha janında.
fee-rule = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum).
fee-rule-discount = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum), { $channel } berilgen arza ushın { $reduction } jeńillik penen.
fee-rule-benefit = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum), jeńillik boyınsha { $reduction } kem: { $benefit }.
fee-rule-free = Jeńillik boyınsha biypul: { $benefit }. Jeńilliksiz: bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum).
