-- Two jobs that databuild-worker runs. Nothing here says that beta needs alpha: beta.sh finds that out.

SELECT databuild.define_job('alpha', ARRAY['data/alpha'], config => '{"command": ["./alpha.sh"]}');
SELECT databuild.define_job('beta', ARRAY['data/beta'], config => '{"command": ["./beta.sh"]}');
