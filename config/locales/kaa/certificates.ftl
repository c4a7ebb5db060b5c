certificate-status-good = Ámelde
certificate-status-suspended = Toqtatıp turılǵan
certificate-status-revoked = Biykar etilgen
certificate-status-expired = Múddeti pitken

# RFC 5280, 5.3.1-bólim.
revocation-reason-unspecified = Sebebi kórsetilmegen
revocation-reason-keyCompromise = Gilt joǵalǵan, urlanǵan yamasa basqalarǵa málim bolǵan
revocation-reason-cACompromise = Oray gilti ashkara bolǵan
revocation-reason-affiliationChanged = Iyesiniń maǵlıwmatları yamasa lawazımı ózgergen
revocation-reason-superseded = Basqa sertifikat penen almastırılǵan
revocation-reason-cessationOfOperation = Endi kerek emes
revocation-reason-certificateHold = Toqtatıp turılǵan
revocation-reason-privilegeWithdrawn = Oǵan bolǵan huqıq biykar etilgen
revocation-reason-aACompromise = Atributlar orayı gilti ashkara bolǵan

# Jaǵdaydı ne ushın ózgertip bolmaydı.
status-change-already-revoked = Sertifikat biykar etilgen, bunı qaytarıp bolmaydı.
status-change-already-suspended = Sertifikat álleqashan toqtatıp turılǵan.
status-change-not-suspended = Sertifikat toqtatıp turılmaǵan.
status-change-expired = Sertifikattıń ámel etiw múddeti pitken.
status-change-reason-not-allowed = Siz bul sebepti kórsete almaysız.
status-change-restoration-not-allowed = Sertifikattı tek biykar etiw boyınsha xızmetker qayta tikley aladı.
status-change-invalidity-in-future = Gilt gúman astına alınǵan kún ele kelmegen.
