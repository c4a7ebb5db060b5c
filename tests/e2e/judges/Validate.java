import java.io.FileInputStream;
import java.io.InputStream;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Validate ocsp|crl ROOT ISSUING LEAF: the platform's own path validation, revocation included, over the network. */
public class Validate {
    public static void main(String[] arguments) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate root = read(factory, arguments[1]);
        CertPath path = factory.generateCertPath(List.of(read(factory, arguments[3]), read(factory, arguments[2])));

        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker revocation = (PKIXRevocationChecker) validator.getRevocationChecker();
        EnumSet<PKIXRevocationChecker.Option> options = EnumSet.of(
                PKIXRevocationChecker.Option.NO_FALLBACK, PKIXRevocationChecker.Option.ONLY_END_ENTITY);
        if (arguments[0].equals("crl")) {
            options.add(PKIXRevocationChecker.Option.PREFER_CRLS);
        }
        revocation.setOptions(options);

        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.addCertPathChecker(revocation);
        validator.validate(path, parameters);
        System.out.println("accepted by " + arguments[0]);
    }

    private static X509Certificate read(CertificateFactory factory, String file) throws Exception {
        try (InputStream stream = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(stream);
        }
    }
}
