import java.io.FileInputStream;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;

/** Reads a CRL in DER, verifies it under the CA's certificate, and says how many entries and which extensions it has. */
public class ReadCrl {
    public static void main(String[] arguments) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509CRL crl = (X509CRL) factory.generateCRL(new FileInputStream(arguments[0]));
        X509Certificate ca = (X509Certificate) factory.generateCertificate(new FileInputStream(arguments[1]));
        crl.verify(ca.getPublicKey());
        int entries = crl.getRevokedCertificates() == null ? 0 : crl.getRevokedCertificates().size();
        System.out.println(entries + " entries, critical " + crl.getCriticalExtensionOIDs());
    }
}
