# Maydanda ne nadurıs — onı toltırǵan adam ushın.
field-required = Bul maydandı toltırıń.
field-not-expected = Bul maydan bunday arza beriwshige tiyisli emes. Onı alıp taslań.
field-unknown-field = Bunday maydan joq. Onı alıp taslań.
field-wrong-type = Mánis túri bul maydanǵa sáykes emes.
field-too-long = Tekst júdá uzın.
field-too-short = Tekst júdá qısqa.
field-not-json = Soraw teksti JSON emes.
field-not-base64 = Bul Base64 emes.
field-control-characters = Bul tekstte kórsetip bolmaytuǵın belgiler bar.
field-not-a-choice = Usınılǵan mánislerden birin tańlań.
field-pinfl-length = JSHSHIR tuwrı 14 cifrdan ibarat.
field-pinfl-check-digit = JSHSHIR da qáte bar: qadaǵalaw cifrı sáykes kelmey atır.
field-pinfl-century = JSHSHIR 1 den 6 ǵa shekemgi cifr menen baslanadı.
field-pinfl-date = JSHSHIR diń 2–7-cifrları tuwılǵan sáneni bildirmeydi.
field-date-form = Sáneni jıl-ay-kún túrinde jazıń, mısalı 1990-05-21.
field-birth-date-differs = Tuwılǵan sáne JSHSHIR daǵı sánege sáykes emes.
field-under-age = Sertifikat iyesi keminde 18 jasta bolıwı kerek.
field-stir-form = STIR tuwrı 9 cifrdan ibarat.
field-document-form = Pasport yamasa ID karta nomeri eki latın háribi hám jeti cifrdan ibarat, mısalı AA1234567.
field-name-characters = Attı pasporttaǵıday, sertifikatta múmkin bolmaǵan belgilersiz jazıń.
field-mixed-scripts = Ya latın, ya kirill háriplerinde jazıń, olardı aralastırmań.
field-common-name-too-long = Familiya, atı hám ákesiniń atı birge 64 belgiden aspawı kerek.
field-email-form = Bul elektron pochta mánzili emes; úlgi: name@example.uz.
field-phone-form = Telefon nomerinde +998 den keyin toǵız cifr boladı, mısalı +998901234567.
field-phone-country = Ózbekstan telefon nomeri kerek, ol +998 menen baslanadı.
field-region-unknown = Bunday kodlı aymaq joq.
field-district-unknown = Bul aymaqta bunday kodlı rayon joq.
field-offer-not-accepted = Ofertanı qabıl etpey arza berip bolmaydı.
field-purpose-empty = Sertifikat ne ushın kerek ekenin jazıń.
field-reason-unknown = Sebepti dizimnen tańlań.

# Qadaǵan etilmegen bolsa da, xızmetker itibar beriwi kerek bolǵan jaǵdaylar.
warning-stir-check-digit = STIR da qáte bolıwı múmkin: qadaǵalaw cifrı ádettegidey emes. Hújjet penen salıstırıń.
warning-stir-kind = STIR basqa túrdegi salıq tólewshinikindey baslanadı. Hújjet penen salıstırıń.
field-benefit-unknown = Búgin bunday jeńillik joq.
field-benefit-not-covered = Bul jeńillik bunday arza beriwshige yamasa bul rayonǵa tiyisli emes.
field-pinfl-not-holders = Bul sertifikat iyesiniń JSHSHIR nomeri emes.
