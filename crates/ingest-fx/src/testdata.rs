//! Files as the ECB serves them, cut short.

/// The table inside the archive.
pub(crate) const TABLE: &str = "\
Date,USD,JPY,HRK,
2018-01-02,1.2065,135.35,7.464,
2017-12-29,1.1993,135.01,7.44,
2017-12-28,1.1934,134.62,N/A,
";

/// The file of the newest day.
pub(crate) const DAILY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender>
		<gesmes:name>European Central Bank</gesmes:name>
	</gesmes:Sender>
	<Cube>
		<Cube time='2017-12-29'>
			<Cube currency='USD' rate='1.1993'/>
			<Cube currency='JPY' rate='135.01'/>
		</Cube>
	</Cube>
</gesmes:Envelope>
"#;

/// Packs a table as the ECB does.
pub(crate) fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, text) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
