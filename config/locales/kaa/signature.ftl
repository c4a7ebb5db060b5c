# Why a document does not count as signed.
signature-no-certificate = Imzalawshınıń sertifikatı ornında basqa nárse tur.
signature-content-missing = Imza bólek: imzalanǵan hújjetti de beriń.
signature-unknown-signer = Imzalawshınıń sertifikatın bul oray bermegen.
signature-not-valid-then = Imzalaw waqtında sertifikat ámel qılmaǵan.
signature-revoked-then = Sertifikat imzalawdan aldın biykar etilgen.
signature-suspended = Sertifikat toqtatıp turılǵan: tikleniwin yamasa biykar etiliwin kútiń.
signature-no-signer-certificate = Imzada imzalawshınıń sertifikatı joq, sonlıqtan kim ekenin aytıp bolmaydı.
signature-other-certificate-meant = Imzalawshı imzadaǵı sertifikattı emes, basqasın názerde tutqan. Oǵan isenbeń.
