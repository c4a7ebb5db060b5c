# Why a document does not count as signed.
signature-no-certificate = Вместо сертификата подписавшего стоит что-то другое.
signature-content-missing = Подпись отсоединённая: приложите и сам подписанный документ.
signature-unknown-signer = Сертификат подписавшего выдан не этим центром.
signature-not-valid-then = На момент подписания сертификат не действовал.
signature-revoked-then = Сертификат был отозван до подписания.
signature-suspended = Сертификат приостановлен: дождитесь восстановления или отзыва.
signature-no-signer-certificate = В подписи нет сертификата подписавшего, поэтому назвать никого нельзя.
signature-other-certificate-meant = Подписавший имел в виду другой сертификат, не тот, что в подписи. Не доверяйте ей.
