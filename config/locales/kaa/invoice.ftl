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

# Why a provider's payment is not taken.
payment-wrong-amount = Summa esaptaǵıdan basqasha.
payment-already-paid = Esap basqa tólem menen tólengen.
payment-not-payable = Esaptıń múddeti ótken yamasa ol biykar etilgen.

# Baha qalay kelip shıqqanı: esapta hám baha janında.
fee-rule = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum).
fee-rule-discount = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum), { $channel } berilgen arza ushın { $reduction } jeńillik penen.
fee-rule-benefit = Bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum), jeńillik boyınsha { $reduction } kem: { $benefit }.
fee-rule-free = Jeńillik boyınsha biypul: { $benefit }. Jeńilliksiz: bazalıq esaplaw muǵdarınıń { $rate } bólegi ({ $since } sánesinen { $bhm } sum).
