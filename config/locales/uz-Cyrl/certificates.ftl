certificate-status-good = Амал қилмоқда
certificate-status-suspended = Тўхтатиб турилган
certificate-status-revoked = Бекор қилинган
certificate-status-expired = Муддати тугаган

# RFC 5280, 5.3.1-бўлим.
revocation-reason-unspecified = Сабаби кўрсатилмаган
revocation-reason-keyCompromise = Калит йўқолган, ўғирланган ёки бошқаларга маълум бўлган
revocation-reason-cACompromise = Марказ калити ошкор бўлган
revocation-reason-affiliationChanged = Эгасининг маълумотлари ёки лавозими ўзгарган
revocation-reason-superseded = Бошқа сертификат билан алмаштирилган
revocation-reason-cessationOfOperation = Энди керак эмас
revocation-reason-certificateHold = Тўхтатиб турилган
revocation-reason-privilegeWithdrawn = Унга бўлган ҳуқуқ бекор қилинган
revocation-reason-aACompromise = Атрибутлар маркази калити ошкор бўлган

# Ҳолатни нима учун ўзгартириб бўлмайди.
status-change-already-revoked = Сертификат бекор қилинган, буни қайтариб бўлмайди.
status-change-already-suspended = Сертификат аллақачон тўхтатиб турилган.
status-change-not-suspended = Сертификат тўхтатиб турилмаган.
status-change-expired = Сертификатнинг амал қилиш муддати тугаган.
status-change-reason-not-allowed = Сиз бу сабабни кўрсата олмайсиз.
status-change-restoration-not-allowed = Сертификатни фақат бекор қилиш бўйича ходим тиклай олади.
status-change-invalidity-in-future = Калит шубҳа остига олинган кун ҳали келмаган.
