certificate-status-good = Действует
certificate-status-suspended = Приостановлен
certificate-status-revoked = Отозван
certificate-status-expired = Истёк

# RFC 5280, раздел 5.3.1.
revocation-reason-unspecified = Причина не указана
revocation-reason-keyCompromise = Ключ утерян, украден или стал известен другим
revocation-reason-cACompromise = Скомпрометирован ключ центра
revocation-reason-affiliationChanged = Изменились данные или должность владельца
revocation-reason-superseded = Заменён другим сертификатом
revocation-reason-cessationOfOperation = Больше не нужен
revocation-reason-certificateHold = Приостановлен
revocation-reason-privilegeWithdrawn = Право на него прекращено
revocation-reason-aACompromise = Скомпрометирован ключ центра атрибутов

# Почему статус изменить нельзя.
status-change-already-revoked = Сертификат отозван, и это окончательно.
status-change-already-suspended = Сертификат уже приостановлен.
status-change-not-suspended = Сертификат не приостановлен.
status-change-expired = Срок действия сертификата истёк.
status-change-reason-not-allowed = Вы не можете указать эту причину.
status-change-restoration-not-allowed = Восстановить сертификат может только сотрудник по отзыву.
status-change-invalidity-in-future = День, с которого ключ под подозрением, ещё не наступил.
