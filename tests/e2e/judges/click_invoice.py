"""Has click-pkg make out an invoice at another address than CLICK's own; prints the answer."""

import json
import sys

from click_up.classes.merchant import MerchantApi

given = json.load(sys.stdin)
merchant = MerchantApi(given["service_id"], given["merchant_user_id"], given["secret"])
merchant.url = given["api"]
print(json.dumps(merchant.create_invoice(given["amount"], given["phone_number"], given["merchant_trans_id"])))
