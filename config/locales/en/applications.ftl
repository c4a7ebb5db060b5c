# What a draft still needs before it can be submitted.
missing-phone = a confirmed phone
missing-offer = acceptance of the offer
missing-identity = complete and consistent personal data
missing-csr = a certificate request from your key program
missing-payment = payment of the invoice
missing-photo = a photo of your face
missing-selfie = a selfie with your open passport
missing-power-of-attorney = a power of attorney from the organization's head
missing-statement = the statement of the application, signed with the new key

# Why an officer returns or rejects an application.
reason-photo-unclear = The photo is not clear enough.
reason-selfie-unclear = The face or the passport page on the selfie cannot be recognised.
reason-document-mismatch = The document on the selfie is not the one named in the application.
reason-identity-mismatch = The person on the photo and on the selfie is not the same.
reason-data-incomplete = The application's data is incomplete or wrong.
reason-power-of-attorney-missing = The power of attorney is missing.
reason-power-of-attorney-invalid = The power of attorney is expired, unsigned or for somebody else.
reason-suspected-fraud = There are signs of fraud.
reason-duplicate-application = The same application has been made before.
reason-other = Another reason; see the note.

# Where an application stands, and whose move it is.
state-draft = Draft
state-under-review = Under review
state-approved = Approved, being certified
state-issued = Certificate issued
state-rejected = Rejected
state-withdrawn = Withdrawn
state-expired = Expired
next-applicant = Your move: complete the application and submit it.
next-registration-officer = A registration officer is reviewing the application.
next-ca = The certification authority is issuing the certificate.
next-nobody = Nothing more will happen to this application.

subject-type-natural-person = natural person
subject-type-sole-proprietor = sole proprietor
subject-type-legal-entity = legal entity
channel-online = online
channel-my-gov-uz = through my.gov.uz
channel-service-center = at a service centre

# What officers do.
role-registrar = Registers applicants
role-reviewer = Reviews applications
role-revocation = Changes the status of certificates
role-auditor = Reads everything, changes nothing
role-admin = Keeps officers and settings

captcha-sum = What is { $first } plus { $second }? Answer in digits.
captcha-number-2 = two
captcha-number-3 = three
captcha-number-4 = four
captcha-number-5 = five
captcha-number-6 = six
captcha-number-7 = seven
captcha-number-8 = eight
captcha-number-9 = nine
captcha-number-10 = ten
captcha-number-11 = eleven
captcha-number-12 = twelve
