# $code: cifrlar. $number: esap nomeri. $amount: sum. $until: sáne. $reason: reason- teksti. $serial: nomerdiń bası.
sms-code = Muhr: kodıńız { $code }. Onı hesh kimge aytpań.
sms-key-password = Muhr: giltińiz paroli { $password }. Gilt saqlanǵanda almastırıń.
sms-application-received = Muhr: arzańız kórip shıǵılmaqta. Nátiyjesi bir jumıs kúni ishinde SMS arqalı keledi.
sms-invoice = Muhr: { $amount } sumlıq { $number }-esap. { $until } ge shekem tóleń.
sms-paid = Muhr: { $number }-esap tólendi. Raxmet.
sms-returned = Muhr: arzańızdı dúzetiń. { $reason }
sms-rejected = Muhr: arzańız qabıl etilmedi. { $reason }
sms-issued = Muhr: sertifikatıńız tayar, { $until } ge shekem ámel etedi. Onı «Meniń arzalarım» bóliminen alıń.
sms-suspended = Muhr: { $serial } sertifikatı toqtatıp turıldı. Bul siz emessiz be? Bizge qońıraw etiń.
sms-restored = Muhr: { $serial } sertifikatı jáne ámel etpekte.
sms-revoked = Muhr: { $serial } sertifikatı biykar etildi hám endi ámel etpeydi.
sms-refund = Muhr: { $number }-esap boyınsha { $amount } sum qaytarıldı.
sms-expiring = Muhr: { $serial } sertifikatı { $until } ge shekem ámel etedi. Jańasına aldınnan arza beriń.
