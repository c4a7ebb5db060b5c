# Почему запрос не принят как запрос партнёра — для тех, кто подключает его сайт.
signature-absent = Запрос не подписан: нужны поля Signature-Input и Signature (RFC 9421).
signature-malformed = Поля подписи не читаются или охватывают то, что здесь не поддерживается.
signature-key-unknown = Ключ из keyid неизвестен.
signature-certificate = У соединения нет сертификата, согласованного с этим партнёром.
signature-algorithm = Алгоритм должен быть ed25519.
signature-not-covered = Подпись должна охватывать @method и @target-uri, а при наличии тела — content-type и content-digest.
signature-not-now = Время в created должно быть текущим, с отклонением не более 300 секунд.
signature-digest = Тело запроса не то, чей SHA-256 указан в Content-Digest.
signature-wrong = Подпись не соответствует запросу и ключу. Подписывайте адрес, который начинается с публичного URL.
signature-used = Подпись уже использована. Подписывайте каждый запрос заново, с nonce.

limit-daily-quota = Согласованное на день число заявлений исчерпано. Отсчёт начнётся заново в полночь по Ташкенту.
limit-per-minute = Слишком много запросов за минуту.
